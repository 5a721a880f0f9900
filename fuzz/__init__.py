"""Octets that no SMSC should send, by the thousand: `python -m fuzz.smpp --seconds 10`, `fuzz.ucp`, `fuzz.cimd2`."""
