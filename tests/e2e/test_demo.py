"""The demo ends by itself, with exit code 0, only if each of its steps held; here it is run as a user runs it."""

import re
import subprocess
import sys


def test_the_walk_through_holds_from_service_network_to_an_empty_lattice():
    played = subprocess.run(
        [sys.executable, "-m", "controller", "demo"], capture_output=True, text=True, timeout=240, check=False
    )
    assert played.returncode == 0, played.stdout + played.stderr
    for answer in (
        r"Requsting to Pod\(parking-[a-z0-9]+-[a-z0-9]+\): parking handler pod",
        r"Requsting to Pod\(review-[a-z0-9]+-[a-z0-9]+\): review handler pod",
        r"Requsting to Pod\(inventory-ver1-[a-z0-9]+-[a-z0-9]+\): Inventory-ver1 handler pod",
        r"\d+% of 200 requests went to the second version \(90% asked for\), none failed",
        r"\d+% of 200 requests went to the second version \(50% asked for\), none failed",
        r" 15 writes and \d+ reads? of AWS APIs by the controller: Create",
        r" 1 write and 0 reads of AWS APIs by the controller: UpdateRule",
        r" 2 writes and 0 reads of AWS APIs by the controller: DeregisterTargets, RegisterTargets",
        r"has left the target group",
        r"Lattice is empty, and the controller has stopped cleanly",
        r"What it cost in API calls",
        r"every step held",
    ):
        assert re.search(answer, played.stdout), f"missing: {answer}\n{played.stdout}"


def test_the_sandbox_and_the_demo_say_what_they_need(tmp_path):
    """Without the sandbox's package the commands end with a message and no traceback."""
    code = "import sys; sys.modules['sandbox'] = None\nfrom controller.cli import main\nsys.exit(main(['demo']))\n"
    played = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert played.returncode == 1
    assert "[sandbox]" in played.stderr
    assert "Traceback" not in played.stderr
