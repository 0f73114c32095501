"""What runs inside a worker: AgentInterface and the agent adapters. No actors here."""
