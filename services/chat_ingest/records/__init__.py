"""Records of chats (聊天记录): files that the shop's agents copied or exported, split into what INBOX takes.

A file is read without understanding it: `record.py` says what is published, `sources/records.py` what it means.
"""
