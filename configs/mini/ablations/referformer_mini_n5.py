# As Table 6a: five queries.
_base_ = ['./referformer_mini_base.py']

model = dict(num_queries=5)
