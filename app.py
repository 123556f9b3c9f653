"""The app: `streamlit run app.py`. The server and the menu. Imports neither torch nor tensorflow; jobs do the work."""

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from convnet_core.language import N_, _
from pages.components import frame, server
from pages.components.names import page_title

# The sections, and the icon of each page but Home: pages/NAME.py at the address /NAME. A comment, because Streamlit
# shows a string that stands alone in this file.
START = N_("Start")
MENU = {
    START: {"runs": "list", "data": "dataset", "train": "model_training"},
    N_("Convert"): {"export": "account_tree", "convert": "transform"},
    N_("Prove"): {"compare": "balance", "dissect": "biotech", "benchmark": "speed", "sketchpad": "draw"},
}


def menu() -> dict[str, list[StreamlitPage]]:
    """The pages of each section, Home before all others."""
    title = page_title("home")
    home = st.Page("pages/home.py", title=title, icon=":material/home:", url_path="", default=True)
    redirect = st.Page(frame.redirect_to_home, title=title, url_path="home", visibility="hidden")
    sections = {
        section: [
            st.Page(f"pages/{name}.py", title=page_title(name), icon=f":material/{icon}:", url_path=name)
            for name, icon in entries.items()
        ]
        for section, entries in MENU.items()
    }
    sections[START] = [home, redirect, *sections[START]]
    return {_(section): pages for section, pages in sections.items()}


if __name__ == "__main__":  # Streamlit runs this file for every draw of a page
    frame.set_up()
    page = st.navigation(menu())
    frame.draw(page)
    page.run()
else:  # and imports it once, for the server
    app = st.App(__file__, routes=server.routes(["home", *(name for entries in MENU.values() for name in entries)]))
