"""The ledger's schema, as numbered steps. Append to `steps`; never edit a step that was released.

The books keep themselves: each verb is one statement on one row, and triggers do what belongs to it
in that same statement. A statement either happens whole or, refused, not at all (SQLite undoes a
failed statement and leaves the transaction alive), so a bad row can't harm its batch.

* insert into `attempts`: checks the balance and takes the hold
* update of `attempts` out of `sent`: gives the hold back, books the debit
* insert into `users_with_keys`, a view: makes a user and its first key
* insert of a credit into `entries`: adds to the balance, and limits the principal by it
* insert into `users`: credits the balance to start with
* insert into `referrals`: credits the bonus to both users
* insert into `messages`: forgets those before the oldest that is kept
* insert into `decisions` or `books`: forgets the oldest
* insert into `rests`: forgets those that are over

Needs SQLite 3.37 (STRICT tables).
"""
