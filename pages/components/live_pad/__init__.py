"""A pad and the answer beside it, in one component: pad.html, pad.css and pad.js are its part in the browser."""
