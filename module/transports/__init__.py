"""Where messages come from and go to: edgeHub, or a file.

A transport is given the inbox's ``offer`` and calls it on the event loop, with the messages that arrived together. Its
``publish`` gives a future, which is done when the other side has the message, and fails with UnsendableError alone.
"""
