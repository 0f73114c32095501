"""What is declared: kortana.yaml as typed, frozen specs, and errors with line and column."""
