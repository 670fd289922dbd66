"""The one error that a user can cause and mend."""


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
