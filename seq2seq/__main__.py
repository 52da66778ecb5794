"""`python -m seq2seq` is the command `seq2seq`."""

from seq2seq.cli.app import entry

if __name__ == "__main__":  # a worker process imports this file under another name
    entry()
