"""OSCQuery: the address space over HTTP and WebSocket, announced by mDNS."""
