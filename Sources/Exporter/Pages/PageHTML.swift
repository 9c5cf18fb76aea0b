/// The page's frame; everything that changes is filled in by the script.
let pageHTML = """
    <!doctype html>
    <html lang="en"><title>Tribune</title><p>See <a href="../api/v1/rollouts">rollouts</a>, \
    <a href="../api/v1/alerts">alerts</a>, <a href="../api/v1/targets">targets</a>.
    """
