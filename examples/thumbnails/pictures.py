"""The jobs: a thumbnail of each picture, an archive of all, a mail about those that failed."""

import os
import zipfile
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
from PIL import Image, UnidentifiedImageError

from staffa import Batch, Staffa, State, current_job, job

SIZE = (64, 64)


@job(queue="pictures", executor="process", max_attempts=3, discard_on=UnidentifiedImageError)
def make_thumbnail(picture: str) -> None:
    """Write a small copy of a picture beside it."""
    source = Path(picture)
    with Image.open(source) as image:
        image.thumbnail(SIZE)
        target = source.parent / "thumbnails" / source.name
        target.parent.mkdir(exist_ok=True)
        image.save(target)


@job(queue="post")
def make_archive(folder: str) -> None:
    """Put all thumbnails of a folder into one file."""
    thumbnails = Path(folder) / "thumbnails"
    with zipfile.ZipFile(Path(folder) / "thumbnails.zip", "w") as archive:
        for path in sorted(thumbnails.iterdir()):
            archive.write(path, path.name)


@job(queue="post")
async def tell_owner(folder: str, address: str) -> None:
    """Send a mail that says how it went."""
    batch = Staffa.get_instance().batch(str(current_job().batch_id))
    failed = [found async for found in batch.stream(states=[State.DISCARDED])]
    mail = EmailMessage()
    mail["From"], mail["To"] = "thumbnails@example.com", address
    mail["Subject"] = f"{Path(folder).name}: {len(failed)} pictures could not be read"
    mail.set_content("\n".join(Path(found.args["picture"]).name for found in failed) or "none")
    host, port = os.environ["MAIL_SERVER"].split(":")
    await aiosmtplib.send(mail, hostname=host, port=int(port))


def plan_thumbnails(folder: Path, address: str) -> Batch:
    """Return the batch for a folder: an archive if all went well, a mail in any case."""
    return Batch(
        (make_thumbnail.new(str(path)) for path in sorted(folder.glob("*.png"))),
        name=folder.name,
        on_completed=make_archive.new(str(folder)),
        on_exhausted=tell_owner.new(str(folder), address),
    )
