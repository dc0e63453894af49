"""Keys of cloud accounts: private keys, AWS, GCP, Azure. None of the examples has ever been a working key."""

from extproc.masking.rule import Rule

_BASE64_40 = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
_BASE64_86 = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw"


def rules() -> tuple[Rule, ...]:
    return (
        Rule(
            "private-key",
            "Private keys in PEM armour (PKCS#1, PKCS#8, EC, OpenSSH, PGP; also inside a GCP service account's JSON)",
            "-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----",
            until="-----END (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----",
            positives=(
                "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n-----END PRIVATE KEY-----",
                "-----BEGIN RSA PRIVATE KEY-----",
                "-----BEGIN OPENSSH PRIVATE KEY-----",
                "-----BEGIN PGP PRIVATE KEY BLOCK-----",
                '"private_key": "-----BEGIN PRIVATE KEY-----\\nMIIE',
            ),
            negatives=("-----BEGIN PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----", "a PRIVATE KEY-----"),
        ),
        Rule(
            "gcp-private-key-id",
            "The key id of a GCP service account, beside its private key",
            "\\b[0-9a-f]{40}\\b",
            keywords=("private_key_id",),
            positives=('"private_key_id": "3f2b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f7"',),
            negatives=("commit 3f2b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f7",),
        ),
        Rule(
            "aws-access-key-id",
            "AWS access key ids (AKIA, ASIA and their kin)",
            "\\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\\b",
            positives=("AKIAIOSFODNN7EXAMPLE", "key=ASIAIOSFODNN7EXAMPLE;"),
            negatives=("AKIAIOSFODNN7EXAMPL", "XAKIAIOSFODNN7EXAMPLE", "AKIA is a prefix"),
        ),
        Rule(
            "aws-secret-key",
            "AWS secret access keys, where the text says that one follows",
            "\\b[A-Za-z0-9/+]{39}[A-Za-z0-9/+=]",
            check="mixed",
            keywords=("aws_secret", "secret_access_key", "secretaccesskey", "secret access key", "secret key"),
            tail="[A-Za-z0-9/+=]",
            positives=(
                f"aws_secret_access_key = {_BASE64_40}",
                f'"SecretAccessKey": "{_BASE64_40}"',
                f"AWS_SECRET={_BASE64_40}",
            ),
            negatives=(f"digest {_BASE64_40}", "aws_secret_access_key = ****************************************"),
        ),
        Rule(
            "gcp-api-key",
            "Google API keys",
            "\\bAIza[0-9A-Za-z_-]{35}",
            tail="[0-9A-Za-z_-]",
            positives=("AIzaSyA1234567890abcdefghijklmnopqrstuv", "?key=AIzaSyA1234567890abcdefghijklmnopqrstuv&x=1"),
            negatives=("AIzaShort", "BAIzaSyA1234567890abcdefghijklmnopqrstuv"),
        ),
        Rule(
            "gcp-oauth-token",
            "Google OAuth access tokens and client secrets",
            "\\b(?:ya29\\.[0-9A-Za-z_-]{20}|GOCSPX-[0-9A-Za-z_-]{28})",
            tail="[0-9A-Za-z_.-]",
            positives=("ya29.a0AfH6SMBx1234567890abcdefgh", "GOCSPX-1234567890abcdefghijklmnopqr"),
            negatives=("ya29.short", "GOCSPX-short"),
        ),
        Rule(
            "azure-storage-key",
            "Azure storage and Cosmos account keys, where the text says that one follows",
            "\\b[A-Za-z0-9/+]{86}==",
            keywords=("accountkey", "account_key", "account key", "storage", "azure", "primarykey", "sharedaccesskey"),
            positives=(f"AccountName=x;AccountKey={_BASE64_86}==;EndpointSuffix=core",),
            negatives=(f'"integrity": "sha512-{_BASE64_86}=="',),
        ),
        Rule(
            "azure-client-secret",
            "Client secrets of Microsoft Entra applications",
            "[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}",
            tail="[A-Za-z0-9_~.-]",
            positives=("abc8Q~abcdefghijklmnopqrstuvwxyz01234567",),
            negatives=("abc8Q~short", "abc8Q-abcdefghijklmnopqrstuvwxyz01234567"),
        ),
    )
