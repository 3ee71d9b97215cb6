"""The page that predicts a picture's motion while you watch.

picture file --answer--> numbers, two pictures and a video, as JSON
browser <--app (Flask)--> answer
page.html.jinja, static/: what the browser gets; nothing of it comes from elsewhere
"""
