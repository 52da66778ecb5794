"""The exceptions for errors that a user can correct, as one tree.

    Seq2SeqError
      ConfigError      an unknown key, a value of the wrong type or out of range
      DataError        a corpus or an input file that cannot be read as asked
      ModelError       a model or run folder that is missing, damaged or of another format
      TrainingError    a run that cannot start or resume
      StorageError     a file that cannot be read or written: disk full, no permission

Every message says where, what was expected, what was found and what to do. The command line prints it and exits with 1.
"""


class Seq2SeqError(Exception):
    """Base of all errors that a user can fix."""


class ConfigError(Seq2SeqError):
    """A configuration that names something unknown or asks for something impossible."""


class DataError(Seq2SeqError):
    """Text that cannot be read as asked."""


class ModelError(Seq2SeqError):
    """A model folder that cannot be used."""


class TrainingError(Seq2SeqError):
    """A training run that cannot start, go on or resume."""


class StorageError(Seq2SeqError):
    """A file that the system does not let a run write or read."""
