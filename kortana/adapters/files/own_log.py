"""Kortana's own log, by loguru: a bounded file that only its owner reads."""

import logging
import os
import sys
from pathlib import Path

from loguru import logger

from kortana.adapters.files.layout import private_opener

FORMAT = "{time:YYYY-MM-DDTHH:mm:ss.SSS!UTC}Z {level} {message}"


class _Forward(logging.Handler):
    """Hands what the standard library's logging gets, pykka's words among it, to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        logger.opt(exception=record.exc_info).log(record.levelname, record.getMessage())


def log_to_file(path: Path) -> None:
    """Kortana's own log, with what pykka says by the standard library's logging.

    Tracebacks without the values of variables, which may be secrets.
    """
    logger.remove()
    logger.add(
        str(path).replace("{", "{{").replace("}", "}}"),  # loguru takes a path for a pattern
        opener=private_opener,
        rotation=10 << 20,
        retention=5,
        format=FORMAT,
        diagnose=False,
    )
    logging.basicConfig(handlers=[_Forward()], level=logging.INFO)
    logger.info("kortana up, pid {}, python {}", os.getpid(), sys.version.split()[0])
