"""Run the command line as `python -m hicom_agent.cli`."""

import sys

from hicom_agent.cli import main

sys.exit(main())
