"""What may be said: events, payloads, reasons and their encoding. No I/O and no clock."""
