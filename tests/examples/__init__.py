"""Two small processes and a projection that prove the kernel; they are no part of the product.

INBOX -> order_facts -> EVENTS -> reminder -> EVENTS -> order_ends (rows)
"""
