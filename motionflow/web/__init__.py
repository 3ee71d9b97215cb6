"""The page on which a picture moves as you draw on it.

picture file --answer.picture--> the picture as the page shows it
picture, mask, FilmRequest --answer.film--> films, two drawings, numbers, as JSON
browser <--app (Flask)--> answer
page.html.jinja, static/: what the browser gets; nothing of it comes from elsewhere
"""
