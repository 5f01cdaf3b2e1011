"""TAXII 2.1: a server that keeps what members share, and a client that brings it home.

The server (`server`, an ASGI application) stands on tables (`tables`) with rules of their own about who writes what
(`keeping`) and who reads what (`reading`, `members`). The client (`client`) trusts no server: neither what it says nor
where it points. Neither opens a socket; wiring does.
"""
