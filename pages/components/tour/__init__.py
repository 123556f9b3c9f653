"""A tour of one minute through Home: tour.html, tour.css and tour.js are its part in the browser."""
