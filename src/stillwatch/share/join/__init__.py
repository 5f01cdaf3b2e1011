"""Finds the part of a network that others see, without showing anybody what one sees oneself.

Members join clusters, never accounts. Every trait value of a cluster becomes a tag by an oblivious function (RFC 9497,
verifiable mode) whose key is split between two key holders: neither can make a tag alone, neither sees a value, and the
hub sees tags only. Everything here is bytes in and bytes out; who carries them is not decided here. Needs the extra
``join``.
"""
