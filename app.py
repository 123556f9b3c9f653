"""The app: `streamlit run app.py`. The menu is here. Imports neither torch nor tensorflow: jobs do the work."""

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from pages.components import frame


def entry(title: str, icon: str) -> StreamlitPage:
    """An entry of the menu: pages/TITLE.py, in lower case, at the address /TITLE."""
    name = title.lower()
    return st.Page(f"pages/{name}.py", title=title, icon=f":material/{icon}:", url_path=name)


frame.set_up()
page = st.navigation(
    {
        "Start": [
            st.Page("pages/home.py", title="Home", icon=":material/home:", url_path="", default=True),
            st.Page(frame.lead_home, title="Home", url_path="home", visibility="hidden"),
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
