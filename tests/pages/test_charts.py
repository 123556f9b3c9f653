"""The pages' charts."""

from tests.conftest import python


def test_a_chart_waits_for_pandas_that_another_session_is_loading():
    python("""
import sys, threading, time
loading = threading.Event()
class Slow:
    def find_spec(self, name, path, target=None):
        if name == "pandas.core":
            loading.set()
            time.sleep(1)
sys.meta_path.insert(0, Slow())
threading.Thread(target=lambda: __import__("pandas")).start()
loading.wait()
from pages import _charts
import plotly.graph_objects as go
go.Bar(x=[1], hovertemplate="%{x}")
""")
