"""The MCP server: a thin stdio loop over an AgentInterface, without an SDK, which would be too slow to start."""
