"""What an MCP server has beside its tools: resources, prompts, and its way over HTTP."""
