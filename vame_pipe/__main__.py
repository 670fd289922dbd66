"""``python -m vame_pipe`` is ``vame-pipe``."""

import sys

from vame_pipe.cli.main import main

sys.exit(main())
