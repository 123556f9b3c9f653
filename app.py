"""The app: `streamlit run app.py`. Imports neither torch nor tensorflow; jobs do the work."""

from pages import _shared as shared

page = shared.frame()
with shared.inside_app():
    page.run()
