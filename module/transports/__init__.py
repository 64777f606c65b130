"""Where messages come from and go to: edgeHub, or a file.

A transport offers to an inbox on the event loop, in one call the messages that arrived together. Its
``publish`` gives a future, which is done when the other side has the message, and fails with UnsendableError alone.
"""
