"""What must not pass, however the text is cut.

    masker = StreamMasker(rules())        # or rules("card", "email")
    for piece in pieces:
        send(masker.feed(piece))
    send(masker.flush())

Pure. Knows text, not JSON, SSE or HTTP.
"""
