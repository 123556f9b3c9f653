"""The app: `streamlit run app.py`. The server and the menu. Imports neither torch nor tensorflow; jobs do the work."""

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from pages.components import frame, server

# Title and icon of each page but Home: pages/TITLE.py at the address /TITLE, both in lower case. A comment, because
# Streamlit shows a string that stands alone in this file.
MENU = {
    "Start": {"Data": "dataset", "Train": "model_training"},
    "Convert": {"Export": "account_tree", "Convert": "transform"},
    "Prove": {"Compare": "balance", "Dissect": "biotech", "Benchmark": "speed", "Sketchpad": "draw"},
}


def menu() -> dict[str, list[StreamlitPage]]:
    """The pages of each section, Home before all others."""
    home = st.Page("pages/home.py", title="Home", icon=":material/home:", url_path="", default=True)
    redirect = st.Page(frame.redirect_to_home, title="Home", url_path="home", visibility="hidden")
    sections = {
        section: [
            st.Page(f"pages/{title.lower()}.py", title=title, icon=f":material/{icon}:", url_path=title.lower())
            for title, icon in entries.items()
        ]
        for section, entries in MENU.items()
    }
    return {**sections, "Start": [home, redirect, *sections["Start"]]}


if __name__ == "__main__":  # Streamlit runs this file for every draw of a page
    frame.set_up()
    page = st.navigation(menu())
    frame.draw(page)
    page.run()
else:  # and imports it once, for the server
    app = st.App(
        __file__, routes=server.routes(["home", *(title.lower() for entries in MENU.values() for title in entries)])
    )
