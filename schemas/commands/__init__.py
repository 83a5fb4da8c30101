"""Commands: wishes sent by request/reply, one module a service.

Source: commands.md; the envelope is `Command`.
"""
