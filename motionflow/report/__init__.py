"""An assessment -> one page of HTML to judge the model by; see page.py."""
