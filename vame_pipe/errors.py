"""What ends a command before it is done."""


class InputError(ValueError):
    """Something in the user's files or settings that must be changed.

    Parameters
    ----------
    *problems : str
        One line each: what, where, what was found, what is allowed, what to do next.
    """

    def __init__(self, *problems: str):
        self.problems = list(problems)
        super().__init__("\n".join(problems))


class Interrupted(Exception):
    """A training was told to stop; its state is saved and it can go on."""
