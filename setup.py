"""What setup.cfg can not say: the cards of `datasets/`, however many there are, go into the wheel."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithCards(build_py):
    """Copies `datasets/NAME/card.toml` into the package; an editable install reads the checkout's."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for card in sorted(Path("datasets").glob("*/card.toml")):
            place = Path(self.build_lib) / "keras_art" / card
            self.mkpath(str(place.parent))
            self.copy_file(str(card), str(place))


setup(cmdclass={"build_py": WithCards})
