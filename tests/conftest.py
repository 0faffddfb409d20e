"""How property tests draw: the same examples in every run of the gate, new ones under ``make soak``."""

import os

from hypothesis import settings

settings.register_profile("gate", derandomize=True, deadline=None, database=None, print_blob=True)
settings.register_profile("soak", max_examples=2000, deadline=None, database=None, print_blob=True)
settings.load_profile(os.environ.get("LIVEMETER_HYPOTHESIS", "gate"))
