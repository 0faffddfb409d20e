"""Write the sample answers of the cookbook anew: ``python -m tests.cookbook.write``."""

from tests.cookbook.answers import PAGE, answers, questions


def main() -> None:
    """Replace every answer of the page by what its query returns."""
    page = PAGE.read_text("utf-8")
    found = list(zip(questions(page), answers(page), strict=True))
    for question, answer in reversed(found):
        page = page[: question.start] + answer.text + page[question.end :]
    PAGE.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
