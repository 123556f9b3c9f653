"""The app: `streamlit run app.py`. Imports neither torch nor tensorflow; jobs do the work."""

import streamlit as st

st.set_page_config(page_title="ConvNet: PyTorch to TensorFlow", page_icon=":material/account_tree:", layout="wide")

st.navigation([st.Page("pages/home.py", title="Home", icon=":material/home:", url_path="home", default=True)]).run()
