"""What is decided: the coordinator as a pure state machine, and the supervisor's restart arithmetic.

No I/O, no clock, no random numbers, no threads.
"""
