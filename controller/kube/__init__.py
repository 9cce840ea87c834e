"""Access to the Kubernetes API: a client, informers with indexed stores, and the few writes that the controller makes.

The parts are client-go's, in client-go's terms, each small and apart from the others:

* `client` sends requests and streams watches; `errors` says what can go wrong.
* `store` holds decoded objects under indexes; `decode` turns bytes into them; `reflector` keeps list and watch going;
  `informer` joins the three and hands changes to handlers; `informers` runs several under one owner.
* `writes` patches finalizers, annotations and status and leaves other writers' fields alone; `conditions` and
  `route_status` are the pure part of it.
* `events` writes aggregated Events; `lease` elects one writer among replicas.
"""
