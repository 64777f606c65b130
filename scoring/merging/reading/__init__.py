"""Reads a script: may run() be called more often than there are messages? Only what is known to be harmless is.

What run() and the functions that it reaches do is read in their source; what they use from outside is looked at as it
is after init(). Harmless is what neither acts on the world nor changes anything that outlives the call. Whatever is not
understood is not harmless. What a script prints or logs it may say twice.
"""
