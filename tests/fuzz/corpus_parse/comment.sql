COMMENT ON COLUMN "t".c IS 'it''s'
