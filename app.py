"""The app: `streamlit run app.py`. Imports neither torch nor tensorflow; jobs do the work."""

from pages.components import frame

page = frame.draw()
with frame.inside_app():
    page.run()
