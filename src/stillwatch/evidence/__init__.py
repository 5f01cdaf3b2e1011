"""Seals what was seen so that a stranger can check it: an append-only log, packages, and a verifier of one file.

Nothing here judges. Any record may become an exhibit; an exhibit is known by its digest, its custody is a chain, the
package around it is signed, timestamped and logged, and everything can be checked offline with Python and
``cryptography``, or with OpenSSL alone. Modules that sign need the extra ``evidence``; the log's arithmetic does not.
"""
