"""Best practices as data: playbooks (CACAO 2.0), detection rules (Sigma), controls (OSCAL), and whether they hold.

What ships here is written once, as TOML, and comes out in the form that other people's programs read. Everything is a
function of its arguments: nothing here reads a deployment or runs a command.
"""
