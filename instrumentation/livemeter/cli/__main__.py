"""``python -m livemeter.cli``: the command where its script is not on the path."""

import sys

from livemeter.cli.main import main

sys.exit(main())
