"""A text generator that needs no network: the same seed tells the same story."""

import random
from collections.abc import Sequence

_FIRST_NAMES = ("Amara", "Bruno", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hana")
_LAST_NAMES = ("Abara", "Blum", "Costa", "Duarte", "Eriksen", "Fournier", "Gallo", "Horvat")
_STYLES = ("in short sentences", "with a raised eyebrow", "as if at a fireside", "in one breath")
_HEROES = ("a lighthouse keeper", "a clockmaker", "a beekeeper", "a ferryman", "a librarian")
_PLACES = ("at the edge of the salt marsh", "under the old viaduct", "on an island of pines")
_OPENINGS = ("Nobody had told {hero} about {subject}.", "{Hero} had been waiting for {subject}.")
_TURNS = (
    "It began {place}, on a morning without wind.",
    "There was only one way to find out, and it led {place}.",
    "What happened {place} is told differently by everybody who was there.",
)
_ENDINGS = ("The door stayed open after that.", "And the kettle, for once, boiled at once.")


def make_author(chapter: str, seed: int) -> dict[str, str]:
    """Return who writes a chapter, and how."""
    chance = random.Random(f"{seed} author of {chapter}")  # noqa: S311  # nothing secret
    name = f"{chance.choice(_FIRST_NAMES)} {chance.choice(_LAST_NAMES)}"
    return {"name": name, "style": chance.choice(_STYLES)}


def tell(chapter: str, author: dict[str, str], theme: str, seed: int) -> str:
    """Return the text of a chapter."""
    chance = random.Random(f"{seed} {author['name']} tells {chapter}")  # noqa: S311
    hero = chance.choice(_HEROES)
    opening = chance.choice(_OPENINGS).format(
        hero=hero, Hero=hero.capitalize(), subject=chapter.lower()
    )
    turn = chance.choice(_TURNS).format(place=chance.choice(_PLACES))
    thought = f"It was a matter of {theme}, told {author['style']}."
    return " ".join([opening, turn, thought, chance.choice(_ENDINGS)])


def find_title(stories: Sequence[str], theme: str, seed: int) -> str:
    """Return the title of a book: of the heroes of its stories."""
    found = [hero for hero in _HEROES if any(hero in story.lower() for story in stories)]
    hero = random.Random(f"{seed} title").choice(found)  # noqa: S311
    return f"{hero.partition(' ')[2].capitalize()}, and other stories of {theme}"
