-- Generations of the refresh token in a row whose predecessor was presented again after the grace while no access token of
-- theirs was ever seen: two for each that was followed by a rotation, and one for the present one. One client that lost an
-- answer goes on from there; two holders of one token repeat each other's every step.
ALTER TABLE sessions ADD COLUMN late_repeats smallint NOT NULL DEFAULT 0;
