"""The app: `streamlit run app.py`. Defines the menu. Imports neither torch nor tensorflow; jobs do the work."""

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from pages.components import frame


def entry(title: str, icon: str) -> StreamlitPage:
    """A menu entry for pages/TITLE.py at the address /TITLE, with the title in lower case."""
    name = title.lower()
    return st.Page(f"pages/{name}.py", title=title, icon=f":material/{icon}:", url_path=name)


frame.set_up()
page = st.navigation(
    {
        "Start": [
            st.Page("pages/home.py", title="Home", icon=":material/home:", url_path="", default=True),
            st.Page(frame.redirect_to_home, title="Home", url_path="home", visibility="hidden"),
            entry("Data", "dataset"),
            entry("Train", "model_training"),
        ],
        "Convert": [entry("Export", "account_tree"), entry("Convert", "transform")],
        "Prove": [
            entry("Compare", "balance"),
            entry("Dissect", "biotech"),
            entry("Benchmark", "speed"),
            entry("Sketchpad", "draw"),
        ],
    }
)
frame.draw(page)
page.run()
