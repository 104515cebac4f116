# For configs that only test.
test_cfg = dict(type='TestLoop')
